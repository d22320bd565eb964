// Lists the operations of the OpenAPI document; works without a network but the server's own.
async function list() {
  const rows = document.getElementById("operations");
  const answer = await fetch("/openapi.json");
  const told = await answer.json();
  rows.replaceChildren();
  if (!answer.ok) {
    const row = rows.insertRow();
    row.insertCell().colSpan = 3;
    row.cells[0].textContent = told.detail;
    return;
  }
  for (const [path, operations] of Object.entries(told.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const row = rows.insertRow();
      row.insertCell().textContent = method.toUpperCase();
      const code = document.createElement("code");
      code.textContent = path;
      row.insertCell().append(code);
      row.insertCell().textContent = operation.description ?? operation.summary ?? "";
    }
  }
}

list();
