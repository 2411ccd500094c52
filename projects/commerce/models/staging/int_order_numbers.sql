{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_placings') }}

-- The orders of a person in the order of placing, tests left out; those that stand are counted by themselves.
with placed as (

    select store_id, order_id, person_id, placed_at, is_wholly_cancelled
    from {{ penstock_affected(ref('int_order_totals')) }}
    where person_id is not null and not is_test

),

-- What is not listed of these persons was placed before.
earlier as (

    {% if is_incremental() -%}
    select
        orders.store_id,
        orders.person_id,
        count(*) as orders,
        count(*) filter (where not orders.is_wholly_cancelled) as standing
    from {{ ref('int_order_totals') }} as orders
    semi join placed on orders.store_id = placed.store_id and orders.person_id = placed.person_id
    anti join {{ ref('changed_placings') }} as listed
        on orders.store_id = listed.store_id
        and orders.order_id = listed.order_id
    where not orders.is_test
    group by orders.store_id, orders.person_id
    {%- else -%}
    select store_id, person_id, 0 as orders, 0 as standing from placed limit 0
    {%- endif %}

),

ranked as (

    select
        *,
        row_number() over (partition by store_id, person_id order by placed_at, order_id) as order_number,
        row_number() over (
            partition by store_id, person_id, is_wholly_cancelled order by placed_at, order_id
        ) as number_of_kind
    from placed

)

select
    ranked.store_id,
    ranked.order_id,
    cast(ranked.order_number + coalesce(earlier.orders, 0) as integer) as order_number,
    ranked.number_of_kind = 1 and not ranked.is_wholly_cancelled and coalesce(earlier.standing, 0) = 0 as is_new_customer
from ranked
left join earlier on ranked.store_id = earlier.store_id and ranked.person_id = earlier.person_id
