-- Every line without a customer belongs to exactly one guest.
select count(*) as guests
from {{ ref('dim_customer') }}
where is_guest
having count(*) <> 1
