"""Users, roles, sessions and tokens. Owns who may call what; never knows a feature."""
