// The planning form: insert placeholders, update the preview and save the draft while a person types, and choose the
// matching patient with Enter. Uses `one` and `all` of app.js, which runs first.
"use strict";

// ---- Insert a placeholder at the cursor
for (const button of all("[data-put]")) {
  button.addEventListener("click", () => {
    const field = document.getElementById(button.closest("[data-for]").dataset.for);
    field.setRangeText(button.dataset.put, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
const plan = one("#plan");
{
  // A weekly rule without a ticked weekday uses the weekday of the date. Mark this weekday.
  const names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
  const implied = () => {
    const boxes = all('[name="weekdays"]', plan);
    const date = one('[name="date"]', plan).valueAsDate;
    const day = date && !boxes.some((box) => box.checked) ? (date.getUTCDay() + 6) % 7 : -1;
    boxes.forEach((box, number) => box.closest("label").classList.toggle("implied", number === day));
    one("#implied-day").textContent = day < 0 ? "" : `None ticked: on ${names[day]}, like the date.`;
  };
  plan.addEventListener("input", implied);
  plan.addEventListener("change", implied);
  implied();
  // Changing the fields of a choice ("the second Tuesday") chooses it. An empty `monthly_shown` tells the server so.
  const choose = (event) => {
    const { name } = event.target;
    const value = { nth: "weekday", nth_day: "weekday", month_days: "days" }[name];
    if (value) one(`[name="monthly_on"][value="${value}"]`, plan).checked = true;
    if (value || name === "monthly_on") one('[name="monthly_shown"]', plan).value = "";
  };
  for (const kind of ["input", "change", "pointerdown"]) plan.addEventListener(kind, choose, true);
}
const since = one("#from_occurrence");
if (since) {
  // Show the date from which the change applies: the date of the chosen Occurrence, otherwise the series' first date.
  const date = one('[name="date"]');
  const first = date.value;
  since.addEventListener("change", () => { date.value = since.value ? since.value.slice(0, 10) : first; });
}
{
  // ---- A third of a second after the last input, update the preview; a second after it, save the draft
  let previewTimer = 0;
  let draftTimer = 0;
  const saveDraft = () => {
    draftTimer = 0;
    htmx.trigger("#kept", "keep");
  };
  const startTimers = (event) => {
    if (event.target.id === "find") return;
    clearTimeout(previewTimer);
    clearTimeout(draftTimer);
    previewTimer = setTimeout(() => htmx.trigger("#preview", "refresh"), 350);
    draftTimer = setTimeout(saveDraft, 1000);
  };
  const stopTimers = () => {
    clearTimeout(previewTimer);
    clearTimeout(draftTimer);
    draftTimer = 0;
  };
  plan.addEventListener("input", startTimers);
  plan.addEventListener("change", startTimers);
  plan.addEventListener("submit", stopTimers);
  addEventListener("pagehide", () => {
    // If the member leaves the page within that second, save the last typed values now.
    if (draftTimer) {
      const typed = new FormData(plan);
      typed.append("quietly", "1");
      navigator.sendBeacon(plan.dataset.drafts, typed);
    }
    stopTimers();
  });
  // ---- Enter in the search field chooses the patient, as soon as the list shows the matches
  const find = one("#find");
  let pressed = false;
  const choose = () => {
    // The list may still show the matches of another search. Wait for the answer.
    if (one("#choices").dataset.found.trim() !== find.value.trim()) return;
    pressed = false;
    const open = all("#choices input:not(:checked)");
    if (open.length === 1) open[0].click();
    // If the person types in another field by now, leave the focus there.
    else if (document.activeElement === find) open[0]?.focus();
  };
  find.addEventListener("input", () => { pressed = false; });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Don't submit the unfinished form.
    event.preventDefault();
    pressed = true;
    choose();
  });
  document.addEventListener("htmx:afterSwap", () => { if (pressed) choose(); });
}
