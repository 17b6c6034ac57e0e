/** The table of docs/spec/crypto.md: names and sizes in bytes. */

/** Name, key, nonce, overhead. */
export const AEADS_IN_SPEC = [
  ['AES-256-GCM', 32, 12, 16],
  ['ChaCha20-Poly1305', 32, 12, 16],
  ['XChaCha20-Poly1305', 32, 24, 16],
  ['AES-XChaCha', 64, 36, 32],
] as const;

/** Name, public key, private key as it is stored. */
export const SCHEMES_IN_SPEC = [
  ['Ed25519', 32, 32],
  ['ML-DSA-65', 1952, 32],
  ['Ed25519+ML-DSA-65', 1984, 64],
  ['Falcon-1024', 1793, 4098],
  ['SLH-DSA-SHAKE-128f', 32, 64],
  ['SLH-DSA-SHAKE-256f', 64, 128],
] as const;
