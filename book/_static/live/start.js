// The button of each live box. Nothing else is fetched before it is pressed.
const livePage = new URL("page.mjs", document.currentScript.src).href;
for (const box of document.querySelectorAll(".live")) {
  const button = box.querySelector("button"), status = box.querySelector("[role=status]");
  const say = (text) => (status.textContent = text);
  const lost = () => // a browser does not ask for a script twice
    say("The connection is lost, or this browser is too old; load the page again.");
  button.hidden = false;
  button.onclick = () => location.protocol === "file:"
    ? say("A page opened from disk may not run this: open the book's site, or serve the folder.")
    : import(livePage).then((page) => page.open(box, say), lost);
}
