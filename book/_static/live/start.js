// The button of each live box. Nothing else is fetched before it is pressed.
const livePage = new URL("page.mjs", document.currentScript.src).href;
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".live")) {
    const button = box.querySelector("button"), say = (text) => (box.lastElementChild.textContent = text);
    button.hidden = false;
    button.onclick = () => {
      if (location.protocol === "file:")
        return say("A page opened from disk may not run this: open the book's site, or serve the folder.");
      import(livePage).then((page) => page.open(box, say), () =>
        say("The connection is lost, or this browser is too old; press the button again when it is back."));
    };
  }
});
