// A draft's page: the editor's line numbers and Tab key, and how far an upload is. All of it works without.
const INDENT = "    ";

function numberLines(box, numbers) {
  const update = () => {
    const count = box.value.split("\n").length;
    numbers.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
    numbers.scrollTop = box.scrollTop;
  };
  numbers.hidden = false;
  box.addEventListener("input", update);
  box.addEventListener("scroll", () => {
    numbers.scrollTop = box.scrollTop;
  });
  update();
}

// Typed, and not set, so that it can be undone.
const type = (text) => document.execCommand("insertText", false, text);

function indentByTab(box) {
  let leaves = false;
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      leaves = true;
    } else if (event.key === "Tab" && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      if (event.shiftKey || box.selectionStart !== box.selectionEnd) shiftLines(box, event.shiftKey);
      else type(INDENT);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      const line = box.value.slice(0, box.selectionStart).split("\n").at(-1);
      type(`\n${line.match(/^\s*/)[0]}${/:\s*$/.test(line) ? INDENT : ""}`);
    } else if (event.key !== "Shift") {
      leaves = false;
    }
  });
  box.addEventListener("blur", () => {
    leaves = false;
  });
}

function shiftLines(box, isBack) {
  const start = box.value.lastIndexOf("\n", box.selectionStart - 1) + 1;
  const lines = box.value.slice(start, box.selectionEnd).split("\n");
  const shifted = lines.map((line) => (isBack ? line.replace(/^ {1,4}/, "") : INDENT + line)).join("\n");
  box.setSelectionRange(start, box.selectionEnd);
  type(shifted);
  box.setSelectionRange(start, start + shifted.length);
}

function send(form) {
  const [progress, problems] = [form.querySelector(".upload-progress"), form.querySelector(".upload-problems")];
  const [bar, words] = [progress.querySelector("progress"), progress.querySelector("[role=status]")];
  const button = form.querySelector("[type=submit]");

  const refuse = (found) => {
    progress.hidden = true;
    button.disabled = false;
    problems.hidden = false;
    problems.replaceChildren(
      ...found.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
    );
  };
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => {
    const percent = event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0;
    bar.value = percent;
    words.textContent = percent < 100 ? `${percent} %` : "It is being looked at …";
  });
  request.addEventListener("load", () => {
    const answer = request.response;
    if (request.status === 200 && answer) location.assign(answer.next);
    else refuse(answer?.problems ?? [`The server did not take it (${request.status}). Nothing was stored.`]);
  });
  request.addEventListener("error", () => refuse(["The connection broke. Nothing was stored: try again."]));
  request.open("POST", form.action);
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  progress.hidden = false;
  problems.hidden = true;
  button.disabled = true;
  request.send(new FormData(form));
}

const box = document.getElementById("id_code");
numberLines(box, document.querySelector(".editor-numbers"));
indentByTab(box);
document.querySelector("[data-editor-hint]").hidden = false;
for (const form of document.querySelectorAll("[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
