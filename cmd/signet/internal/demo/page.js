"use strict";

// Without this script every form is a plain POST, and the page shows the cookies that came with its
// own request. With it a change needs no new page, and the laboratory looks again after each
// one, so that it shows what the browser holds now.

const parse = (html) => new DOMParser().parseFromString(html, "text/html");

async function fetchLab() {
  const answer = await fetch("/lab", { cache: "no-store" });
  if (!answer.ok) throw new Error("the laboratory answered " + answer.status);
  return parse(await answer.text()).body.childNodes;
}

// swap puts new content into place and keeps the focus and what was unfolded.
function swap(target, nodes) {
  const focused = document.activeElement && document.activeElement.id;
  const unfolded = [...document.querySelectorAll("details[open]")].map((d) => d.id);
  target.replaceChildren(...nodes);
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  watchKeys();
}

let busy = false;

async function refresh() {
  if (busy) return;
  try {
    swap(document.getElementById("lab"), await fetchLab());
  } catch {
    // The demo was stopped. What is shown stays.
  }
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const page = parse(await (await fetch(form.action, { method: "POST", body })).text());
  page.getElementById("lab").replaceChildren(...(await fetchLab()));
  swap(document.getElementById("main"), page.getElementById("main").childNodes);
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await send(event.target, event.submitter);
  } catch {
    event.target.submit(); // let the browser say what is wrong
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "refuse") event.target.form.requestSubmit();
});

// A part under the pointer or the focus lights up everywhere.
function light(event) {
  const at = event.target.closest?.(".part, .legend div");
  const name = at && (at.dataset.part || [...at.classList].find((c) => c.startsWith("part-"))?.slice(5));
  for (const el of document.querySelectorAll(".part, .legend div")) {
    const same = name && (el.dataset.part === name || el.classList.contains("part-" + name));
    el.classList.toggle("on", Boolean(same));
  }
}
document.addEventListener("pointerover", light);
document.addEventListener("focusin", light);

// A key that waits begins to seal: look again then.
let timer;
function watchKeys() {
  clearTimeout(timer);
  const at = [...document.querySelectorAll("[data-at]")].map((el) => Number(el.dataset.at) * 1000);
  if (at.length) timer = setTimeout(refresh, Math.max(Math.min(...at) - Date.now(), 0) + 250);
}

// Another tab may have changed the cookies.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

if (location.search) history.replaceState(null, "", location.pathname);
refresh();
