// The book's noise: torch's random numbers on the CPU, so that a seed gives the same picture here.

const N = 624, M = 397; // Matsumoto & Nishimura 1998, the Mersenne Twister

export class Generator {
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
    this.next = N;
  }

  twist() {
    for (let i = 0; i < N; i++) {
      const y = (this.state[i] & 0x80000000) | (this.state[(i + 1) % N] & 0x7fffffff);
      this.state[i] = this.state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  // a whole number of 32 random bits
  random() {
    if (this.next === N) this.twist();
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // in [0, 1), of 24 bits as torch's floats
  uniform() {
    return (this.random() & 0xffffff) / 2 ** 24;
  }
}

// torch.randn(size, generator), for 16 numbers or more: pairs of uniform numbers become pairs of
// normal ones (Box & Muller 1958), in blocks of 16, and a last block that is not full is drawn anew.
export function unitNoise(size, generator) {
  if (size < 16) throw new RangeError(`torch draws fewer than 16 numbers in another way, got ${size}`);
  const x = Float32Array.from({ length: size }, () => generator.uniform());
  for (let start = 0; start + 16 <= size; start += 16) toNormal(x.subarray(start, start + 16));
  if (size % 16) {
    const tail = x.subarray(size - 16);
    tail.forEach((_, i) => (tail[i] = generator.uniform()));
    toNormal(tail);
  }
  return x;
}

function toNormal(block) {
  for (let i = 0; i < 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - block[i]));
    const angle = Math.fround(2 * Math.PI * block[i + 8]);
    block[i] = radius * Math.cos(angle);
    block[i + 8] = radius * Math.sin(angle);
  }
}
