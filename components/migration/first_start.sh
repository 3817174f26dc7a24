# Starts web, alone, until it has made what LANGFUSE_INIT_* ask for, and ends. The image's entrypoint
# has migrated the databases before.
# Next.js answers no request before web/src/instrumentation.ts is through, and each with 500 if it
# failed: one answer of 200 says that everything is there. Run by busybox's sh.
set -eu

fail() {
  echo "The first organization, project, keys and user are not made: $1" >&2
  exit 1
}

"$@" &
server=$!
until wget -q -T 10 -O /dev/null "$HEALTH_URL"; do
  sleep 2
  kill -0 "$server" 2>/dev/null || fail "web ended before it answered."
  ATTEMPTS=$((ATTEMPTS - 1))
  [ "$ATTEMPTS" -gt 0 ] || fail "web did not answer with 200; its log is above."
done
echo "The first organization, project, keys and user are there."
