// What Great Expectations' pages ask of jQuery, Bootstrap and bootstrap-table.
function $(what) {
  const all = typeof what === "string" ? [...document.querySelectorAll(what)] : [what];
  const found = (elements) => $all([...new Set(elements)]);
  function $all(elements) {
    return {
      ready: (call) => document.addEventListener("DOMContentLoaded", call),
      parent: () => found(elements.map((each) => each.parentElement)),
      each: (call) => elements.forEach((each, index) => call(index, each)),
      fadeIn: () => elements.forEach((each) => { each.hidden = false; }),
      fadeOut: () => elements.forEach((each) => { each.hidden = true; }),
      prepend: (html) => elements.forEach((each) => each.insertAdjacentHTML("afterbegin", html)),
      on: () => {},
      removeClass: (name) => elements.forEach((each) => each.classList.remove(name)),
      bootstrapTable: (options) => elements.forEach((each) => fillTable(each, options)),
    };
  }
  return $all(all);
}

// A table of the index: a row for each result or suite, the first of its texts a link to the page.
function fillTable(table, options) {
  if (typeof options === "string") return;
  const columns = options.columns.filter((each) => String(each.visible) !== "false");
  const head = table.createTHead().insertRow();
  for (const each of columns) {
    const cell = document.createElement("th");
    cell.innerHTML = each.title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of options.data) {
    const line = body.insertRow();
    for (const each of columns) line.insertCell().innerHTML = row[each.field] ?? "";
    const first = [...line.cells].find((cell) => cell.textContent.trim() && !cell.querySelector("a"));
    if (row._table_row_link_path && first) {
      const link = document.createElement("a");
      link.href = row._table_row_link_path;
      link.append(...first.childNodes);
      first.append(link);
    }
  }
  if (!options.data.length) body.insertRow().insertCell().textContent = "None.";
}

document.addEventListener("DOMContentLoaded", () => {
  // There is nothing to filter with, and both tabs are shown.
  document.querySelectorAll("button[onclick^=clearTableFilters]").forEach((each) => each.remove());
  document.querySelectorAll("[data-toggle=collapse]").forEach((each) =>
    each.addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById(each.getAttribute("href").slice(1)).classList.toggle("show");
    }));
});
