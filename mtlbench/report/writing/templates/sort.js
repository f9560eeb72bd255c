// Click a column's head to sort by it; without JavaScript the tables stay in the report's order.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return "value" in cell.dataset ? Number(cell.dataset.value) : head.classList.contains("number") ? NaN : cell.textContent;
      };
      const compare = (a, b) => {
        if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b), "en", { numeric: true });
        return a - b;
      };
      const missing = (value) => typeof value === "number" && Number.isNaN(value);
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [key(one), key(other)];
        if (missing(a) || missing(b)) return missing(a) - missing(b); // what does not exist stays below
        return down ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
    });
  });
}
