"""The name under which an Airflow connection stands in the environment. Airflow imports this module, too."""


def variable_of(connection: str) -> str:
    """The variable that holds a connection, by its id, as Airflow itself reads it."""
    return f"AIRFLOW_CONN_{connection.upper()}"
