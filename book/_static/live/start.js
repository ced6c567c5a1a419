// The button of each live box. Nothing else is fetched before it is pressed.
const liveScript = document.currentScript.src;
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".live")) {
    const button = box.querySelector("button");
    const say = (text) => (box.querySelector("[role=status]").textContent = text);
    button.hidden = false;
    button.onclick = () => {
      if (location.protocol === "file:")
        return say("A page opened from disk may not run this: open the book's site, or serve the folder.");
      import(new URL("page.mjs", liveScript).href).then((page) => page.open(box), () =>
        say("The connection is lost, or this browser is too old; press the button again when it is back."));
    };
  }
});
