#!/usr/bin/env bash
# Installs the peer (llama.cpp, prebuilt in an npm package) into a folder,
# builds the oracle beside it, and prints the oracle's path.
set -euo pipefail

version=3.22.1
dir=${1:?usage: install.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# The platform's package alone holds all the libraries: node-llama-cpp itself
# and the packages of other platforms and GPUs are not needed.
package=@node-llama-cpp/linux-x64
installed=$dir/node_modules/$package/package.json
if ! grep -qs "\"version\": \"$version\"" "$installed"; then
	npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error \
		"$package@$version" >&2
fi

oracle=$dir/oracle
if [[ ! -x $oracle || $here/oracle.c -nt $oracle || $here/llama_api.h -nt $oracle ]]; then
	# Built under another name and moved, so that a running oracle is not disturbed.
	gcc -std=c17 -O2 -Wall -Wextra -Werror -o "$oracle.$$" "$here/oracle.c" -ldl -lm
	mv "$oracle.$$" "$oracle"
fi
echo "$oracle"
