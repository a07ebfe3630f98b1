// An event's page: the next and the previous of the inbox that it was opened from.
"use strict";

(() => {
  const kept = JSON.parse(sessionStorage.getItem("inbox-order"));
  sessionStorage.setItem("inbox-opened", location.pathname);
  const here = kept ? kept.links.indexOf(location.pathname) : -1;
  if (here < 0) return;
  const back = one("[data-back]");
  back.href = kept.at;
  back.addEventListener("click", () => sessionStorage.setItem("inbox-back", kept.at));
  for (const [name, place] of [["newer", here - 1], ["older", here + 1]]) {
    const link = one(`[data-${name}]`);
    if (!kept.links[place]) continue;
    link.href = kept.links[place];
    link.hidden = false;
  }
  document.addEventListener("keydown", (event) => {
    if (!isForPage(event)) return;
    const name = { j: "older", k: "newer" }[event.key];
    const link = name && one(`[data-${name}]`);
    if (link && !link.hidden) link.click();
  });
})();
