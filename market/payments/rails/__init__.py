"""The rails money comes in on: protocols and codecs of the providers.

Owns: what each provider's bytes mean and how ours are signed. Answers and notifications leave as frozen
dataclasses, refusals as typed errors. Never: a database, a session, a template, a decision about a charge.
"""
