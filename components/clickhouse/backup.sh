#!/bin/bash
# Backs up the database `default`, which holds all of Langfuse's tables, or restores a backup of it.
# The server writes the bucket itself. The first run of an ISO week makes a full backup, the other
# runs make incremental ones, each on the week's full one alone:
#   BACKUP_URL/2026-W01/full-20251229T030000Z/  BACKUP_URL/2026-W01/incremental-20251230T030000Z/
# With RESTORE_FROM, the URL of one of them, it restores into `default`, or into RESTORE_AS.
set -euo pipefail
LC_ALL=C # elsewhere [a-z] may match other letters

fail() {
  echo "$1" >&2
  exit 1
}

# A backup's answer comes at its end, and nothing before it: the client waits up to 12 hours.
# The client takes the password from CLICKHOUSE_PASSWORD, and would append its input to the query.
ask() {
  clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" \
    --receive_timeout 43200 --query "$1" < /dev/null
}

# A client that gives up waiting may exit with 0, so only the server's own word is success.
run() {
  local answer code=0
  echo "$1"
  answer=$(ask "$1") || code=$?
  [[ -z $answer ]] || echo "$answer"
  [[ $code != 0 || $answer == *$'\t'"$2" ]] || fail "the server did not answer $2"
  return "$code"
}

: "${CLICKHOUSE_HOST:?}" "${CLICKHOUSE_USER:?}" "${CLICKHOUSE_PASSWORD:?}" "${BACKUP_URL:?}"
url=${BACKUP_URL%/} from=${RESTORE_FROM:-} as=${RESTORE_AS:-}
on_cluster=${BACKUP_ON_CLUSTER:+ $BACKUP_ON_CLUSTER}
# All of these become SQL: none has a character that could end a string or a name.
plain='^[A-Za-z0-9./_-]+$' name='^[a-z_][a-z0-9_]*$'
[[ $url == https://* && ${url#https://} =~ $plain ]] || fail "BACKUP_URL is not a plain https URL"
[[ -z $on_cluster || ($on_cluster == " ON CLUSTER "* && ${on_cluster# ON CLUSTER } =~ $name) ]] ||
  fail "BACKUP_ON_CLUSTER is not ON CLUSTER and a name"
[[ -z $from || ($from == "$url"/* && ${from#"$url"/} =~ $plain) ]] ||
  fail "RESTORE_FROM is not the URL of a backup below $url/"
[[ -z $as || ($as =~ $name && $as != @(default|system|information_schema)) ]] ||
  fail "RESTORE_AS is not the name of a new database: a-z, 0-9 and _, e.g. restored"
[[ -z $as || -n $from ]] || fail "RESTORE_AS needs RESTORE_FROM; no backup was made"

if [[ -n $from ]]; then
  run "RESTORE DATABASE default${as:+ AS $as}$on_cluster FROM S3('$from')" RESTORED && exit
  fail "ClickHouse restores only into tables without rows. To keep those that are there, set \
RESTORE_AS to a new name, e.g. restored; EXCHANGE TABLES then swaps the tables one by one."
fi

now=$(date -u '+%G-W%V %Y%m%dT%H%M%SZ')
week=$url/${now% *} time=${now#* }
# ClickHouse writes .backup last: a backup without it is not complete.
full=$(ask "SELECT max(extract(_path, '/(full-[0-9TZ]+)/')) FROM s3('$week/full-*/.backup', 'One')")
[[ $full =~ ^(full-[0-9TZ]+)?$ ]] || fail "not the name of a full backup: $full"
to="$week/full-$time/" settings=
if [[ -n $full ]]; then
  to="$week/incremental-$time/" settings=" SETTINGS base_backup = S3('$week/$full/')"
fi
run "BACKUP DATABASE default$on_cluster TO S3('$to')$settings" BACKUP_CREATED
