// Filters the trials' cards and unfolds everything for print. Without it the page shows all there is.
(() => {
  const form = document.getElementById("filter");
  const cards = [...document.querySelectorAll("#trials .card")];
  if (form) {
    const shown = document.getElementById("shown");
    const apply = () => {
      const verdict = form.elements.verdict.value;
      const family = form.elements.family.value;
      let visible = 0;
      for (const card of cards) {
        const match = (!verdict || card.dataset.verdict === verdict) && (!family || card.dataset.family === family);
        card.hidden = !match;
        visible += match;
      }
      shown.textContent = `${visible} of ${cards.length} shown`;
    };
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
    // A link to a card that the filter hides must still arrive.
    addEventListener("hashchange", () => {
      const target = document.getElementById(location.hash.slice(1));
      if (target && target.hidden) {
        form.reset();
        apply();
        target.scrollIntoView();
      }
    });
  }
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((element) => { element.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((element) => { element.open = false; }));
})();
