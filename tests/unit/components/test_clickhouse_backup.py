"""The command of the task that backs ClickHouse up, and that restores a backup.

The script is run for real, as the task runs it: as one argument of bash. `clickhouse-client` and
`date` are stubs, and there is no other program on PATH. It proves which statements reach the server
at which time, that nothing else becomes SQL, and what the task's log and exit code say. It does not
prove that ClickHouse understands the statements, nor that it may write to the bucket.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[3] / "components/clickhouse/backup.sh"
BASH: Final = "/bin/bash"
PASSWORD: Final = "a secret's $HOME"
URL: Final = "https://langfuse-prod-backups-1a2b3c4.s3.eu-west-1.amazonaws.com/clickhouse"
WEDNESDAY: Final = datetime(2025, 12, 31, 3, 0, 5, tzinfo=timezone.utc)
FULL: Final = "full-20251229T030004Z"

# Notes the password it is given, its input, its own and its caller's command line, its statement.
CLIENT: Final = f"""#!{BASH}
mapfile -d '' -t caller < "/proc/$PPID/cmdline"
read -rd '' input
statement=${{@: -1}}
printf '%s\\0' "$CLICKHOUSE_PASSWORD" "$input" "${{caller[*]}} $0 $*" "$statement" >> "$CALLS"
case $statement in
  SELECT*) eval "$ON_SELECT" ;;
  *) eval "$ON_CHANGE" ;;
esac
"""
DATE: Final = f"""#!{BASH}
[[ $1 != -u ]] || {{ TZ=UTC0; shift; }}
printf "%(${{1#+}})T\\n" "$NOW"
"""

CREATED: Final = r"printf 'd995077e\tBACKUP_CREATED\n'"
RESTORED: Final = r"printf 'b8326bef\tRESTORED\n'"
REFUSED: Final = "echo 'Code: 497. DB::Exception: Not enough privileges.' >&2; exit 241"


@dataclass(frozen=True)
class Run:
    """What a run of the script left behind."""

    code: int
    out: str
    err: str
    calls: list[list[str]]
    """Of each call of the client: password, input, command lines, statement."""

    @property
    def statements(self) -> list[str]:
        """The statements that reached the server."""
        return [call[3] for call in self.calls]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder on PATH."""
    folder = tmp_path_factory.mktemp("tools")
    for name, text in (("clickhouse-client", CLIENT), ("date", DATE)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


@dataclass(frozen=True)
class Task:
    """A place to run the script in."""

    tools: Path
    calls: Path

    def run(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        full: str = "",
        now: datetime = WEDNESDAY,
        select: str = "",
        change: str = CREATED,
    ) -> Run:
        """Run it, where the server answers `full`, or does as `select` and `change` say."""
        self.calls.write_text("")
        run = subprocess.run(
            [BASH, "-euc", SCRIPT.read_text(encoding="utf-8")],
            check=False,
            capture_output=True,
            text=True,
            input="; DROP DATABASE default",
            env={
                "BACKUP_URL": URL,
                "CLICKHOUSE_HOST": "clickhouse.langfuse.internal",
                "CLICKHOUSE_PASSWORD": PASSWORD,
                "CLICKHOUSE_USER": "clickhouse",
                "CALLS": str(self.calls),
                "NOW": str(int(now.timestamp())),
                "ON_CHANGE": change,
                "ON_SELECT": select or f"echo '{full}'",
                "PATH": str(self.tools),
                "TZ": "NZST-13",
                **(environment or {}),
            },
            timeout=20,
        )
        fields = self.calls.read_text(encoding="utf-8").split("\0")[:-1]
        calls = [fields[start : start + 4] for start in range(0, len(fields), 4)]
        return Run(run.returncode, run.stdout, run.stderr, calls)


@pytest.fixture
def task(tools: Path, tmp_path: Path) -> Task:
    return Task(tools, tmp_path / "calls")


LOOKUP: Final = (
    "SELECT max(extract(_path, '/(full-[0-9TZ]+)/')) FROM s3('WEEK/full-*/.backup', 'One')"
)


def lookup(week: str) -> str:
    return LOOKUP.replace("WEEK", f"{URL}/{week}")


# --- backups


def test_without_a_complete_full_backup_this_week_a_full_one_is_made(task: Task) -> None:
    run = task.run()
    assert run.statements == [
        lookup("2026-W01"),
        f"BACKUP DATABASE default TO S3('{URL}/2026-W01/full-20251231T030005Z/')",
    ], "only .backup, which is written last, makes a backup complete; system tables stay out"
    assert run.code == 0, "the task succeeded"


def test_with_a_full_backup_this_week_an_incremental_one_is_made_on_it(task: Task) -> None:
    run = task.run(full=FULL)
    assert run.statements == [
        lookup("2026-W01"),
        f"BACKUP DATABASE default TO S3('{URL}/2026-W01/incremental-20251231T030005Z/')"
        f" SETTINGS base_backup = S3('{URL}/2026-W01/{FULL}/')",
    ], "it builds on the full one, never on another incremental one"
    assert run.code == 0, "the task succeeded"


def test_of_two_full_backups_the_newest_is_the_base(task: Task) -> None:
    newest = "full-20251230T030004Z"
    run = task.run(full=max(FULL, newest))
    assert run.statements[0].startswith("SELECT max("), "names sort as their times do"
    assert run.statements[1].endswith(f" base_backup = S3('{URL}/2026-W01/{newest}/')")


def test_a_new_week_begins_with_a_full_backup(task: Task) -> None:
    only_old = f"[[ $statement == */2026-W01/* ]] && echo {FULL} || echo"
    sunday = task.run(select=only_old, now=datetime(2026, 1, 4, 23, 59, 59, tzinfo=timezone.utc))
    monday = task.run(select=only_old, now=datetime(2026, 1, 5, tzinfo=timezone.utc))
    assert "/2026-W01/incremental-20260104T235959Z/" in sunday.statements[1]
    assert monday.statements == [
        lookup("2026-W02"),
        f"BACKUP DATABASE default TO S3('{URL}/2026-W02/full-20260105T000000Z/')",
    ], "weeks begin on Monday in UTC, wherever the container thinks it is"


@pytest.mark.parametrize(
    ("day", "week"), [((2027, 1, 3), "2026-W53"), ((2024, 12, 30), "2025-W01")]
)
def test_a_week_belongs_to_one_year(task: Task, day: tuple[int, int, int], week: str) -> None:
    run = task.run(now=datetime(*day, tzinfo=timezone.utc))
    assert run.statements[0] == lookup(week), "else a week across New Year's Eve has two full ones"


@pytest.mark.parametrize("full", ["", FULL])
def test_three_replicas_are_backed_up_together(task: Task, full: str) -> None:
    one = task.run(full=full)
    three = task.run({"BACKUP_ON_CLUSTER": "ON CLUSTER default"}, full=full)
    assert three.statements == [
        one.statements[0],
        one.statements[1].replace("DATABASE default ", "DATABASE default ON CLUSTER default "),
    ], "the lookup needs one server only"


def test_an_empty_cluster_clause_is_the_same_as_none(task: Task) -> None:
    assert task.run({"BACKUP_ON_CLUSTER": ""}).statements == task.run().statements


def test_a_slash_at_the_urls_end_changes_nothing(task: Task) -> None:
    run = task.run({"BACKUP_URL": f"{URL}/"}, full=FULL)
    assert run.statements == task.run(full=FULL).statements, "S3 takes // for another key"


def test_the_log_shows_what_is_done_and_the_servers_answer(task: Task) -> None:
    run = task.run()
    assert run.out == f"{run.statements[1]}\nd995077e\tBACKUP_CREATED\n", "one line each"
    assert run.err == "", "and nothing else"


def test_the_client_is_told_where_the_server_is_and_to_wait_for_hours(task: Task) -> None:
    for call in task.run(full=FULL).calls:
        assert (
            "/clickhouse-client --host clickhouse.langfuse.internal --user clickhouse "
            f"--receive_timeout 43200 --query {call[3]}"
        ) in call[2], "the answer comes when the backup is done; by default it waits 5 minutes"


def test_no_command_line_shows_the_password(task: Task) -> None:
    calls = task.run(full=FULL).calls
    assert [call[0] for call in calls] == [PASSWORD] * 2, "the client has it by the environment"
    assert all("BACKUP_URL" in call[2] for call in calls), "the caller's line is the script's text"
    assert not any(PASSWORD in call[2] for call in calls), "every process may read command lines"


def test_the_tasks_input_is_not_appended_to_a_statement(task: Task) -> None:
    assert [call[1] for call in task.run(full=FULL).calls] == ["", ""], "the client would send it"


# --- failures


def test_when_the_lookup_fails_no_backup_is_made(task: Task) -> None:
    run = task.run(select=REFUSED)
    assert run.statements == [lookup("2026-W01")], "not knowing is not the same as none"
    assert (run.code, run.out) == (241, ""), "the task failed, with the client's code"
    assert "Not enough privileges" in run.err, "the log says why"


@pytest.mark.parametrize("full", ["", FULL])
def test_when_the_backup_fails_the_task_fails_with_the_servers_error(task: Task, full: str) -> None:
    run = task.run(full=full, change=REFUSED)
    assert (run.code, run.out) == (241, f"{run.statements[1]}\n"), "what was tried, no success"
    assert "Not enough privileges" in run.err, "the log says why"


@pytest.mark.parametrize(
    "change",
    [
        "echo 'Timeout exceeded while receiving data from server.'",
        r"printf 'd995077e\tBACKUP_FAILED\n'",
        r"printf 'd995077e\tCREATING_BACKUP\n'",
        "true",
    ],
)
def test_a_client_that_ends_well_without_the_servers_word_is_a_failure(
    task: Task, change: str
) -> None:
    run = task.run(change=change)
    assert (run.code, run.err) == (1, "the server did not answer BACKUP_CREATED\n")


@pytest.mark.parametrize("answer", ["Timeout exceeded", "full-1/'), S3('", "full-1\nfull-2"])
def test_an_odd_answer_of_the_lookup_never_becomes_sql(task: Task, answer: str) -> None:
    run = task.run({"ANSWER": answer}, select='echo "$ANSWER"')
    assert (run.code, len(run.statements)) == (1, 1), "it is not the name of a backup"
    assert run.err == f"not the name of a full backup: {answer}\n"


@pytest.mark.parametrize(
    "name", ["BACKUP_URL", "CLICKHOUSE_HOST", "CLICKHOUSE_PASSWORD", "CLICKHOUSE_USER"]
)
def test_a_missing_variable_is_named(task: Task, name: str) -> None:
    run = task.run({name: ""})
    assert (run.code != 0, run.calls) == (True, []), "an empty password would be asked for"
    assert f"{name}: parameter null or not set" in run.err


# --- restores

BACKUP: Final = f"{URL}/2026-W01/incremental-20251231T030005Z/"


@pytest.mark.parametrize("url", [BACKUP, f"{URL}/2026-W01/{FULL}", f"{URL}/before-4.0/"])
def test_a_backup_is_restored_into_the_database_default(task: Task, url: str) -> None:
    run = task.run({"RESTORE_FROM": url}, change=RESTORED)
    assert run.statements == [f"RESTORE DATABASE default FROM S3('{url}')"], (
        "nothing is backed up; the server finds an incremental backup's base by itself"
    )
    assert (run.code, run.out) == (0, f"{run.statements[0]}\nb8326bef\tRESTORED\n")


def test_a_backup_is_restored_beside_the_tables_that_are_there(task: Task) -> None:
    run = task.run({"RESTORE_FROM": BACKUP, "RESTORE_AS": "restored"}, change=RESTORED)
    assert run.statements == [f"RESTORE DATABASE default AS restored FROM S3('{BACKUP}')"]
    assert run.code == 0, "the task succeeded"


@pytest.mark.parametrize(("name", "clause"), [("", ""), ("restored", " AS restored")])
def test_three_replicas_are_restored_together(task: Task, name: str, clause: str) -> None:
    run = task.run(
        {"RESTORE_FROM": BACKUP, "RESTORE_AS": name, "BACKUP_ON_CLUSTER": "ON CLUSTER default"},
        change=RESTORED,
    )
    assert run.statements == [
        f"RESTORE DATABASE default{clause} ON CLUSTER default FROM S3('{BACKUP}')"
    ]


@pytest.mark.parametrize("name", ["", "restored"])
def test_a_refused_restore_says_what_to_do_and_destroys_nothing(task: Task, name: str) -> None:
    refused = "echo 'Cannot restore the table default.traces' >&2; exit 96"
    run = task.run({"RESTORE_FROM": BACKUP, "RESTORE_AS": name}, change=refused)
    assert (run.code != 0, "RESTORED" in run.out) == (True, False), "the task failed"
    assert run.err == (
        "Cannot restore the table default.traces\n"
        "ClickHouse restores only into tables without rows. To keep those that are there, set "
        "RESTORE_AS to a new name, e.g. restored; EXCHANGE TABLES then swaps the tables one by "
        "one.\n"
    ), "nobody should drop a table at night because a script said so"


def test_a_restore_that_does_not_end_with_restored_is_a_failure(task: Task) -> None:
    run = task.run({"RESTORE_FROM": BACKUP}, change=r"printf 'b8326bef\tRESTORING\n'")
    assert (run.code, run.err) == (1, "the server did not answer RESTORED\n")


# --- refusals


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_URL", "s3://bucket/clickhouse"),
        ("BACKUP_URL", "http://bucket.s3.amazonaws.com/clickhouse"),
        ("BACKUP_URL", f"{URL}'"),
        ("BACKUP_URL", f"{URL}\\"),
        ("BACKUP_URL", f"{URL}/*"),
        ("BACKUP_URL", f"{URL}\n"),
        ("BACKUP_ON_CLUSTER", "default"),
        ("BACKUP_ON_CLUSTER", "ON CLUSTER "),
        ("BACKUP_ON_CLUSTER", "ON CLUSTER default TO Null"),
        ("BACKUP_ON_CLUSTER", "ON CLUSTER default--"),
        ("RESTORE_FROM", "https://another-bucket.s3.eu-west-1.amazonaws.com/clickhouse/w/f/"),
        ("RESTORE_FROM", f"{URL}-of-another/w/f/"),
        ("RESTORE_FROM", URL),
        ("RESTORE_FROM", f"{URL}/"),
        ("RESTORE_FROM", f"{BACKUP}') SETTINGS allow_non_empty_tables = 1 --"),
        ("RESTORE_FROM", f"{BACKUP}\\"),
        ("RESTORE_FROM", f"{BACKUP}\n"),
        ("RESTORE_AS", "default"),
        ("RESTORE_AS", "system"),
        ("RESTORE_AS", "information_schema"),
        ("RESTORE_AS", "1st"),
        ("RESTORE_AS", "Restored"),
        ("RESTORE_AS", "réstored"),
        ("RESTORE_AS", "a b"),
        ("RESTORE_AS", "a`"),
        ("RESTORE_AS", "a\n"),
    ],
)
def test_a_value_that_does_not_belong_into_sql_is_refused_before_any_statement(
    task: Task, name: str, value: str
) -> None:
    restore = {"RESTORE_FROM": BACKUP} if name == "RESTORE_AS" else {}
    run = task.run({**restore, name: value}, change=RESTORED)
    assert (run.code, run.calls, run.out) == (1, [], ""), "the server was not asked"
    assert run.err.startswith(f"{name} is not "), "the log names the variable"


def test_a_name_without_a_backup_to_restore_is_refused(task: Task) -> None:
    run = task.run({"RESTORE_AS": "restored"})
    assert (run.code, run.calls) == (1, []), "somebody wants a restore, and would get a backup"
    assert run.err == "RESTORE_AS needs RESTORE_FROM; no backup was made\n"


# --- the text


def test_the_script_is_valid_bash() -> None:
    check = subprocess.run([BASH, "-n", str(SCRIPT)], check=False, capture_output=True, text=True)
    assert (check.returncode, check.stderr) == (0, "")


def test_the_script_stops_at_errors_however_it_is_started() -> None:
    code = [line for line in SCRIPT.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert code[0] == "set -euo pipefail", "before the first command"
