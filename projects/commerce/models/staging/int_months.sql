{{ config(schema='staging') }}

-- The last one may still be under way.
select distinct last_day(dates.date_key) as month_end
from {{ ref('dim_date') }} as dates
cross join {{ ref('int_horizon') }} as horizon
where last_day(dates.date_key) <= last_day(horizon.last_day)
