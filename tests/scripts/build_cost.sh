#!/usr/bin/env bash
# What a cold build costs: for each commit the processor time and the wall time of `cargo build --release` from an empty target
# directory, and the sizes of the two programs. Commits are built one after another on one machine; the ratios are to the first.
#   build_cost.sh [COMMIT...]      without one: HEAD
# TESTS=1 measures `cargo test --workspace` in the same way instead. CARGO_ARGS is appended to either, such as --timings.
# The dependencies are fetched before. A machine that does something else gives wrong times.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/build-cost.XXXXXX")
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- HEAD

command=(cargo build --release --locked)
[ -z "${TESTS:-}" ] || command=(cargo test --workspace --locked)
read -ra more <<< "${CARGO_ARGS:-}"

printf '%-12s %10s %10s %6s %14s %14s\n' commit 'CPU s' 'wall s' ratio 'mercerd MiB' 'mercer MiB'
first=
for commit in "$@"; do
    name=$(git -C "$root" rev-parse --short "$commit")
    git clone --quiet "$root" "$work/$name"
    git -C "$work/$name" checkout --quiet "$(git -C "$root" rev-parse "$commit")"
    (cd "$work/$name" && cargo fetch --locked --quiet)
    TIMEFORMAT='%R %U %S'
    build() { cd "$work/$name" && CARGO_TARGET_DIR=$work/target "${command[@]}" ${more[@]+"${more[@]}"} > "$work/$name.log" 2>&1; }
    { time (build); } 2> "$work/time" || { tail -20 "$work/$name.log" >&2; exit 1; }
    python3 - "$name" "$work" "$first" << 'PYTHON'
import os, sys
name, work, first = sys.argv[1:]
wall, user, system = map(float, open(f"{work}/time").read().split()[-3:])
cpu = user + system
size = lambda program: os.path.getsize(path) / 2**20 if os.path.exists(path := f"{work}/target/release/{program}") else float("nan")
print(f"{name:12} {cpu:10.0f} {wall:10.0f} {cpu / float(first or cpu):6.2f} {size('mercerd'):14.1f} {size('mercer'):14.1f}", flush=True)
open(f"{work}/cpu", "w").write(str(cpu))
PYTHON
    first=${first:-$(cat "$work/cpu")}
    [ -z "${KEEP:-}" ] || cp -r "$work/target" "$KEEP-$name"
    rm -rf "$work/target"
done
