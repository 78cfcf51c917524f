# expect: FAILED
# category: code
from bot_sdk import CustomBot


class First(CustomBot):
    pass


class Second(CustomBot):
    pass
