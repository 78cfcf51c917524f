# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import asyncio

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        async def send():
            _, writer = await asyncio.open_connection("127.0.0.1", self.config["port"])
            writer.write(b"out")
            await writer.drain()
            writer.close()

        asyncio.run(send())
        return Action("BUY", 1.0, "ESCAPED: connected")
