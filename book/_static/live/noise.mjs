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
    this.at = 0;
  }

  // in [0, 1), of 24 random bits as torch's floats
  uniform() {
    const { state, at } = this, next = (at + 1) % N;
    const joined = (state[at] & 0x80000000) | (state[next] & 0x7fffffff);
    let y = state[(at + M) % N] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    state[at] = y;
    this.at = next;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return (y & 0xffffff) / 2 ** 24;
  }
}

// torch.randn(size, generator), for whole blocks of 16 numbers: in each the first 8 uniform numbers
// and the last 8 become pairs of normal ones (Box & Muller 1958).
export function unitNoise(size, generator) {
  if (size % 16) throw new RangeError(`torch draws ${size % 16} of 16 numbers in another way`);
  const x = Float32Array.from({ length: size }, () => generator.uniform());
  for (let i = 0; i < size; i++) {
    if (i % 16 >= 8) continue;
    const radius = Math.sqrt(-2 * Math.log(1 - x[i]));
    const angle = Math.fround(2 * Math.PI * x[i + 8]);
    x[i] = radius * Math.cos(angle);
    x[i + 8] = radius * Math.sin(angle);
  }
  return x;
}
