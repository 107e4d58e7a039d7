"""A running graph seen from outside: sensors listened to, a node followed or asked."""
