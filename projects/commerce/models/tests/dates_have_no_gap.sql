-- A calendar of as many days as lie between its ends has no gap.
with bounds as (

    select min(date_key) as first_day, max(date_key) as last_day, count(*) as days from {{ ref('dim_date') }}

)

select first_day, last_day, days
from bounds
where last_day - first_day + 1 <> days
