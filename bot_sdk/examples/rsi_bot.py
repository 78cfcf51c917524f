from bot_sdk import CustomBot, Action
import pandas as pd

class RSIBot(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.bot_name = "RSI Trading Bot"
        self.rsi_oversold = config.get('rsi_oversold', 30)
        self.rsi_overbought = config.get('rsi_overbought', 70)
    
    def execute_algorithm(self, data, timeframe, subscription_config):
        # Data already includes RSI indicator
        current_rsi = data['rsi'].iloc[-1]
        current_price = data['close'].iloc[-1]
        
        if current_rsi < self.rsi_oversold:
            return Action("BUY", current_price, f"RSI oversold: {current_rsi:.2f}")
        elif current_rsi > self.rsi_overbought:
            return Action("SELL", current_price, f"RSI overbought: {current_rsi:.2f}")
        else:
            return Action("HOLD", current_price, f"RSI neutral: {current_rsi:.2f}")
