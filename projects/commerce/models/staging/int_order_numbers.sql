{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_placings') }}

-- The orders of a person in the order of placing, tests left out; those that stand are counted by themselves.
with ranked as (

    select
        store_id,
        order_id,
        is_wholly_cancelled,
        row_number() over (partition by store_id, person_id order by placed_at, order_id) as order_number,
        row_number() over (
            partition by store_id, person_id, is_wholly_cancelled order by placed_at, order_id
        ) as number_of_kind
    from {{ penstock_affected(ref('int_order_totals')) }}
    where person_id is not null and not is_test

)

select
    store_id,
    order_id,
    cast(order_number as integer) as order_number,
    number_of_kind = 1 and not is_wholly_cancelled as is_new_customer
from ranked
