// What a file is known by; null where the browser keeps its hashes to secure addresses and this is none.

export async function sha256(file) {
  if (!crypto.subtle) return null;
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
