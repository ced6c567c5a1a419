// A prompt in the pieces of words that the text encoder knows: BERT's tokenizer, without capitals
// or accents.

// The ids of a prompt, its start and end marks included. vocabulary: one piece a line, by their ids
export function tokenize(prompt, vocabulary) {
  const ids = new Map(vocabulary.split("\n").map((piece, id) => [piece, id]));
  const pieces = words(prompt).flatMap((word) => split(word, ids));
  return ["[CLS]", ...pieces, "[SEP]"].map((piece) => ids.get(piece));
}

// Each time the longest piece that is known; a word that cannot be put together is unknown.
function split(word, known) {
  const pieces = [], letters = [...word];
  for (let start = 0, end; start < letters.length; start = end) {
    const piece = (stop) => (start ? "##" : "") + letters.slice(start, stop).join("");
    for (end = letters.length; end > start && !known.has(piece(end)); end--);
    if (end === start || letters.length > 100) return ["[UNK]"];
    pieces.push(piece(end));
  }
  return pieces;
}

const words = (prompt) => prompt
  .replace(/[^\P{C}\t\n\r]|\ufffd/gu, "")
  .replace(/[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]/g, " $& ") // a Chinese character is a word
  .replace(/[\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu, " $& ")
  .normalize("NFD")
  .replace(/\p{Mn}/gu, "")
  .toLowerCase()
  .replace(/[!-/:-@[-`{-~]|\p{P}/gu, " $& ")
  .split(/\s+/u)
  .filter(Boolean);
