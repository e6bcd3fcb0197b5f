// The SHA-256 of a file; null where the browser hashes on secure addresses only and this is not one.

export async function sha256(file) {
  if (!crypto.subtle) return null;
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
