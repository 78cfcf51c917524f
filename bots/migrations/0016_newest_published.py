import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What is newest is asked for after the bot's row is locked, and with the newest snapshot: of two versions that
# change at once, the second change sees the first.
TRIGGERS = """
CREATE FUNCTION bots_find_newest_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.newest_published_id := (
        SELECT id FROM bots_botversion WHERE bot_id = NEW.id AND state = 'PUBLISHED'
        ORDER BY created_at DESC, id DESC LIMIT 1
    );
    RETURN NEW;
END $$;
CREATE TRIGGER bots_bot_has_newest_published BEFORE INSERT OR UPDATE ON bots_bot
    FOR EACH ROW EXECUTE FUNCTION bots_find_newest_published();

CREATE FUNCTION bots_tell_bot_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'PUBLISHED' OR NEW.state = 'PUBLISHED' THEN
        UPDATE bots_bot SET newest_published_id = NULL WHERE id IN (OLD.bot_id, NEW.bot_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER bots_botversion_tells_bot AFTER INSERT OR DELETE OR UPDATE OF state, bot_id, created_at
    ON bots_botversion FOR EACH ROW EXECUTE FUNCTION bots_tell_bot_of_version();

CREATE FUNCTION bots_count_in_categories() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_category bigint;
    entered_category bigint;
BEGIN
    IF OLD.state = 'LISTED' AND OLD.newest_published_id IS NOT NULL THEN
        left_category := OLD.category_id;
    END IF;
    IF NEW.state = 'LISTED' AND NEW.newest_published_id IS NOT NULL THEN
        entered_category := NEW.category_id;
    END IF;
    IF left_category IS DISTINCT FROM entered_category THEN
        UPDATE bots_category SET listed_count = listed_count + CASE WHEN id = entered_category THEN 1 ELSE -1 END
        WHERE id IN (left_category, entered_category);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER bots_bot_is_counted AFTER INSERT OR UPDATE OR DELETE ON bots_bot
    FOR EACH ROW EXECUTE FUNCTION bots_count_in_categories();

CREATE FUNCTION bots_keep_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.listed_count := OLD.listed_count;
    RETURN NEW;
END $$;
CREATE TRIGGER bots_category_keeps_count BEFORE UPDATE ON bots_category
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION bots_keep_count();

UPDATE bots_bot SET newest_published_id = NULL;
"""
NO_TRIGGERS = """
DROP TRIGGER bots_category_keeps_count ON bots_category;
DROP FUNCTION bots_keep_count;
DROP TRIGGER bots_bot_is_counted ON bots_bot;
DROP FUNCTION bots_count_in_categories;
DROP TRIGGER bots_botversion_tells_bot ON bots_botversion;
DROP FUNCTION bots_tell_bot_of_version;
DROP TRIGGER bots_bot_has_newest_published ON bots_bot;
DROP FUNCTION bots_find_newest_published;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0015_listed_bots_by_category"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="bot", name="bots_by_record"),
        migrations.RemoveIndex(model_name="bot", name="listed_bots_by_category"),
        migrations.AddField(
            model_name="category",
            name="listed_count",
            field=models.PositiveIntegerField(
                default=0, editable=False, help_text="bots listed in it; kept by triggers alone"
            ),
        ),
        migrations.AddField(
            model_name="bot",
            name="newest_published",
            field=models.ForeignKey(
                editable=False,
                help_text="kept by triggers alone, whoever writes versions or bots; empty: none is published",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="bots.botversion",
            ),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=models.Index(
                models.OrderBy(models.F("record_score"), descending=True, nulls_last=True),
                models.F("name"),
                condition=models.Q(("newest_published__isnull", False), ("state", "LISTED")),
                name="bots_by_record",
            ),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=models.Index(
                condition=models.Q(("newest_published__isnull", False), ("state", "LISTED")),
                fields=["category", "id"],
                name="listed_bots_by_category",
            ),
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
