// Puts every <time datetime> into the reader's own zone; the exact UTC stays in its title.
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const onlyDate = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

function localize() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const format = "onlyDate" in time.dataset ? onlyDate : dateAndTime;
    if (!Number.isNaN(at.valueOf())) time.textContent = format.format(at);
  }
}

localize();
document.addEventListener("htmx:afterSwap", localize);
