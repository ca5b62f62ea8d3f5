"""The nouns: what is modelled (`Space`), what is known (`Given`), and how a game is played.

Nothing here imports another layer of Twofold.
"""
