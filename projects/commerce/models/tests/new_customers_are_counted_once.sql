-- Channels share out the new customers; none is lost or counted twice.
with orders as (

    select count(*) as persons from {{ ref('fact_orders') }} where is_new_customer

),

channels as (

    select coalesce(sum(new_customers), 0) as persons from {{ ref('acquisition_cost') }}

)

select orders.persons as persons_of_orders, channels.persons as persons_of_channels
from orders
cross join channels
where orders.persons <> channels.persons
