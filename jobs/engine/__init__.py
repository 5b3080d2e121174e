"""The engine room: where tables lie, how work is handed out, and how it is committed.

The seam between a stage and an engine is small:

    run         tasks: a function's name with small values (paths, names, numbers); a task may run twice
    staging     frames that one task leaves for others, as files by name and bucket
    scan        the files of a table's version, by operator and period
    commit      files that tasks wrote, in place of operator-periods; meta.run names the versions
    validate    the rules of tables that are to be published

jobs/engine/tasks.py defines it; jobs/engine/embedded.py runs tasks in processes of this machine. A second
engine runs the same tasks elsewhere: it needs the project, the key and the folders of lake and staging.
Modules outside of this room call Lake and Engine and import neither delta-rs nor a process pool.
"""
