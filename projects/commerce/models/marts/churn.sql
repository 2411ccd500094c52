with persons as (

    select
        months.store_id,
        months.month_end as as_of_date,
        months.was_active,
        months.is_active
    from {{ ref('int_person_months') }} as months
    cross join {{ ref('int_horizon') }} as horizon
    where months.month_end <= horizon.last_day and (months.was_active or months.is_active)

)

select
    store_id,
    as_of_date,
    count(*) filter (where was_active) as persons,
    count(*) filter (where was_active and not is_active) as churned,
    count(*) filter (where was_active and not is_active) / nullif(count(*) filter (where was_active), 0) as churn_rate
from persons
group by store_id, as_of_date
