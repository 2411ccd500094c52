{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'person_id', 'month_end'], affected='changed_person_months') }}

-- The month that is under way counts up to the last day.
with months as (

    select
        persons.store_id,
        persons.person_id,
        persons.month_end,
        least(persons.month_end, horizon.last_day) as as_of_date
    from (
        {% if is_incremental() -%}
        select store_id, person_id, month_end
        from {{ ref('changed_person_months') }}
        semi join {{ ref('int_months') }} using (month_end)
        {%- else -%}
        select persons.store_id, persons.person_id, months.month_end
        from (select distinct store_id, person_id from {{ ref('fact_orders') }}) as persons
        cross join {{ ref('int_months') }} as months
        {%- endif %}
    ) as persons
    cross join {{ ref('int_horizon') }} as horizon

),

-- An order counts until it is wholly cancelled; to be active it takes one that never was.
placed as (

    select
        months.store_id,
        months.person_id,
        months.month_end,
        min(orders.date_key) as first_order_date,
        max(orders.date_key) filter (
            where orders.wholly_cancelled_date is null or orders.wholly_cancelled_date > months.as_of_date
        ) as last_order_date,
        count(*) filter (
            where orders.wholly_cancelled_date is null or orders.wholly_cancelled_date > months.as_of_date
        ) as orders,
        count(*) filter (where orders.date_key >= date_trunc('month', months.month_end)) as orders_of_month,
        bool_or(
            not orders.is_wholly_cancelled
            and orders.date_key >= months.month_end - 365
            and orders.date_key < months.month_end - 180
        ) as was_active,
        bool_or(
            not orders.is_wholly_cancelled
            and orders.date_key >= months.month_end - 180
            and orders.date_key < months.month_end
        ) as is_active
    from months
    inner join {{ ref('fact_orders') }} as orders
        on months.store_id = orders.store_id
        and months.person_id = orders.person_id
        and months.as_of_date >= orders.date_key
    where not orders.is_test
    group by months.store_id, months.person_id, months.month_end

),

spent as (

    select
        months.store_id,
        months.person_id,
        months.month_end,
        {{ total('days.net_sales') }} as net_sales,
        {{ total('days.cost') }} as cost,
        {{ base_sum('days.net_sales', "days.business_date >= date_trunc('month', months.month_end)") }}
            as net_sales_of_month
    from months
    inner join {{ ref('int_person_days') }} as days
        on months.store_id = days.store_id
        and months.person_id = days.person_id
        and months.as_of_date >= days.business_date
    group by months.store_id, months.person_id, months.month_end

)

select
    placed.store_id,
    placed.person_id,
    placed.month_end,
    placed.first_order_date,
    placed.last_order_date,
    placed.orders,
    placed.orders_of_month,
    placed.was_active,
    placed.is_active,
    coalesce(spent.net_sales, 0) as net_sales,
    coalesce(spent.cost, 0) as cost,
    coalesce(spent.net_sales_of_month, 0) as net_sales_of_month
from placed
left join spent
    on placed.store_id = spent.store_id
    and placed.person_id = spent.person_id
    and placed.month_end = spent.month_end
