// Unpack the Chromium of the npm package beside this file into the folder named as first argument.
// Its starter there, `chromium`, brings the package's own libraries and fonts along.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const target = path.resolve(process.argv[2]);
const packed = path.join(__dirname, "node_modules/@sparticuz/chromium/bin");

function unpack(name) {
  return zlib.brotliDecompressSync(fs.readFileSync(path.join(packed, `${name}.br`)));
}

for (const archive of ["al2023.tar", "fonts.tar", "swiftshader.tar"]) {
  execFileSync("tar", ["-x", "-C", target], { input: unpack(archive) });
}
fs.writeFileSync(path.join(target, "browser"), unpack("chromium"), { mode: 0o755 });
// The package's own fonts.conf looks where its authors run it.
const fonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
`;
fs.writeFileSync(path.join(target, "fonts.conf"), fonts);
const starter = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/lib:$here"
export FONTCONFIG_PATH="$here"
exec "$here/browser" "$@"
`;
fs.writeFileSync(path.join(target, "chromium"), starter, { mode: 0o755 });
