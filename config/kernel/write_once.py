"""
Facts are rows written once, and the database itself holds that.

``WriteOnce("vouchers_redemption", set_once=("reversed_at",))`` in a migration refuses every DELETE,
and every UPDATE but those that fill a named column for the first time.
"""

from collections.abc import Sequence

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION kernel_write_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_row jsonb;
    new_row jsonb;
    name text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '% is written once: no row is deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    old_row := to_jsonb(OLD);
    new_row := to_jsonb(NEW);
    FOREACH name IN ARRAY coalesce(TG_ARGV, '{}'::text[]) LOOP
        IF old_row -> name <> 'null'::jsonb AND old_row -> name IS DISTINCT FROM new_row -> name THEN
            RAISE EXCEPTION '%.% is set once', TG_TABLE_NAME, name USING ERRCODE = 'restrict_violation';
        END IF;
        old_row := old_row - name;
        new_row := new_row - name;
    END LOOP;
    IF old_row IS DISTINCT FROM new_row THEN
        RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class CreateWriteOnceFunction(migrations.RunSQL):
    """The one trigger function that every ``WriteOnce`` names."""

    def __init__(self) -> None:
        super().__init__(FUNCTION, "DROP FUNCTION kernel_write_once()")


# A function for each table: its columns by name cost a twentieth of what finding them in a row's jsonb costs, and a
# busy table has this on every row. What is compared is the whole row, columns of later migrations included.
GUARD = """
CREATE OR REPLACE FUNCTION {table}_write_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    same record := NEW;
BEGIN
    {set_once}
    IF same IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION '{table} is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {table}_write_once BEFORE UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_write_once();
CREATE OR REPLACE TRIGGER {table}_never_deleted BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION kernel_write_once();
"""
SET_ONCE = """
    IF OLD.{name} IS NOT NULL AND NEW.{name} IS DISTINCT FROM OLD.{name} THEN
        RAISE EXCEPTION '{table}.{name} is set once' USING ERRCODE = 'restrict_violation';
    END IF;
    same.{name} := OLD.{name};
"""
NO_GUARD = """
DROP TRIGGER {table}_write_once ON {table};
DROP TRIGGER {table}_never_deleted ON {table};
DROP FUNCTION {table}_write_once();
"""


class WriteOnce(migrations.RunSQL):
    """Rows of ``table`` are facts; only the columns in ``set_once`` may change, from null, once."""

    def __init__(self, table: str, set_once: Sequence[str] = ()) -> None:
        columns = "".join(SET_ONCE.format(table=table, name=name) for name in set_once)
        super().__init__(GUARD.format(table=table, set_once=columns), NO_GUARD.format(table=table))


class NeverDeleted(migrations.RunSQL):
    """Rows of ``table`` may change, and none of them ever goes: somebody outside remembers its id."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION kernel_write_once()",
            f"DROP TRIGGER {table}_never_deleted ON {table}",
        )
