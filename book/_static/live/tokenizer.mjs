// A prompt in the pieces of words that the text encoder knows: BERT's tokenizer, without capitals
// or accents.

export class Tokenizer {
  // vocabulary: one piece a line, in the order of their ids
  constructor(vocabulary) {
    this.ids = new Map(vocabulary.split("\n").map((piece, id) => [piece, id]));
  }

  // the ids of a prompt, its start and end marks included
  encode(prompt) {
    const pieces = words(prompt).flatMap((word) => this.pieces(word));
    return ["[CLS]", ...pieces, "[SEP]"].map((piece) => this.ids.get(piece));
  }

  // Each time the longest piece that fits; a word that cannot be put together is unknown.
  pieces(word) {
    const found = [], letters = [...word];
    for (let start = 0, end; start < letters.length; start = end) {
      const piece = (stop) => (start ? "##" : "") + letters.slice(start, stop).join("");
      for (end = letters.length; end > start && !this.ids.has(piece(end)); end--);
      if (end === start || letters.length > 100) return ["[UNK]"];
      found.push(piece(end));
    }
    return found;
  }
}

// Chinese characters, each a word
const HAN = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

const words = (prompt) => prompt
  .replace(/[\t\n\r]/g, " ")
  .replace(/\p{C}|\ufffd/gu, "")
  .replace(HAN, " $& ")
  .normalize("NFD")
  .replace(/\p{Mn}/gu, "")
  .toLowerCase()
  .replace(/[!-/:-@[-`{-~]|\p{P}/gu, " $& ")
  .split(/\s+/u)
  .filter(Boolean);
