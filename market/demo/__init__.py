"""The demo city: invented vendors in five markets, with charges, payments and prices that end on the day it is run.

Everything goes through the features' own services, from one seed. Owns no table. Never runs in production, and never touches a
database that holds anything else.
"""
