import pytest

from bots.listings import Statement
from bots.models import Bot


@pytest.mark.django_db
def test_a_column_that_django_would_convert_is_refused() -> None:
    with pytest.raises(TypeError, match="nothing converts"):
        Statement.of(Bot.objects.values_list("name", "trading_pairs"))
