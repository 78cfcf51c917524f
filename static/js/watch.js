// Keeps a page of bots at work current without disturbing the reader. htmx asks every few seconds and gets 204
// while nothing is new; here is when not to ask, what to say when nobody answers, and the countdown.
const live = () => document.getElementById("live");
let checkedAt = Date.now();
const isPolling = (event) => event.detail.requestConfig.elt.id === "live"; // it is gone once swapped

// A hidden tab asks nothing, and an open question ("Stop for good?") is not swapped away under the reader's hand.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPolling(event) && (document.hidden || live().querySelector("details[open]"))) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live().dispatchEvent(new CustomEvent("wake"));
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (!isPolling(event)) return;
  live().querySelector("[data-offline]").hidden = event.detail.successful;
  if (event.detail.successful) checkedAt = Date.now();
  if (event.detail.xhr.status === 200) document.dispatchEvent(new CustomEvent("news"));
});

function inWords(seconds) {
  if (seconds <= 0) return "(any moment now)";
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days) return `(in ${days} d ${hours} h)`;
  if (hours) return `(in ${hours} h ${minutes} min)`;
  return minutes ? `(in ${minutes} min ${seconds % 60} s)` : `(in ${seconds} s)`;
}

function countDown() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    element.textContent = inWords(Math.ceil((new Date(element.dataset.countdown) - Date.now()) / 1000));
  }
}

// How old the page is: the server answers also when nothing is new.
function sayAge() {
  const element = document.querySelector("[data-checked]");
  if (element) element.textContent = `checked ${Math.round((Date.now() - checkedAt) / 1000)} s ago`;
}

sayAge();
setInterval(sayAge, 1000);
document.addEventListener("news", sayAge);

countDown();
setInterval(countDown, 1000);
document.addEventListener("news", countDown);
