"""Reading other people's price files into reference series.

Owns: recognising a file by its content, reading its cells strictly, naming every cell that is refused, and handing the rest to
`pricing.take`. Never: publishes a price, touches a market's own quotes, guesses between two readings of a number or a date.
"""
