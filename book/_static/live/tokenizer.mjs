// BERT's tokenizer, without capitals or accents: a prompt in the pieces that the encoder knows.

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
  .normalize("NFD")
  .replace(/\p{Mn}/gu, "")
  .toLowerCase()
  .replace(/\p{Unified_Ideograph}|[!-/:-@[-`{-~]|\p{P}/gu, " $& ") // each is a word
  .split(/\s+/u)
  .filter(Boolean);
