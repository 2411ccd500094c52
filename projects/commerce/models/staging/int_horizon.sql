{{ config(schema='staging') }}

select coalesce(max(day) filter (where has_passed), max(day)) as last_day
from {{ ref('int_instants') }}
having max(day) is not null
