# expect: FAILED
# category: code
print("there is no bot in here")
