from bot_sdk.cli import command

command()
