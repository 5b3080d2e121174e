"""Where bytes lie, and with which rights and credentials they are reached: folders, SFTP, object stores.

Any room above may import it.
"""
