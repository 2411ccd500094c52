{{ config(schema='staging') }}

-- Days that the last day passes begin to count, and those behind it no longer do.
with passed as (

    select min(last_day) as first_day, max(last_day) as last_day
    from {{ penstock_changes(ref('int_horizon')) }}
    having count(*) > 0

),

-- What moves a day moves its month and all that follow.
moved as (

    select store_id, person_id, date_key as day
    from {{ penstock_changed(
        ref('fact_orders'),
        ['store_id', 'person_id', 'date_key'],
        columns=['order_id', 'is_test', 'is_wholly_cancelled', 'wholly_cancelled_date'],
    ) }}
    union all
    select store_id, person_id, business_date as day
    from {{ penstock_changes(ref('int_person_days')) }}
    union all
    select orders.store_id, orders.person_id, orders.date_key as day
    from {{ ref('fact_orders') }} as orders
    inner join passed on orders.date_key >= passed.first_day and orders.date_key <= passed.last_day
    union all
    select orders.store_id, orders.person_id, orders.date_key as day
    from {{ ref('fact_orders') }} as orders
    inner join passed
        on orders.wholly_cancelled_date >= passed.first_day
        and orders.wholly_cancelled_date <= passed.last_day
    union all
    select days.store_id, days.person_id, days.business_date as day
    from {{ ref('int_person_days') }} as days
    inner join passed on days.business_date >= passed.first_day and days.business_date <= passed.last_day

),

persons as (

    select store_id, person_id, min(day) as first_day
    from moved
    where person_id is not null
    group by store_id, person_id

),

months as (

    select month_end from {{ ref('int_months') }}
    union
    select month_end from {{ penstock_changes(ref('int_months')) }}

)

select persons.store_id, persons.person_id, months.month_end
from persons
inner join months on months.month_end >= persons.first_day
union
select orders.store_id, orders.person_id, months.month_end
from {{ ref('fact_orders') }} as orders
cross join (select distinct month_end from {{ penstock_changes(ref('int_months')) }}) as months
where orders.person_id is not null
